-- What a model's weights are, whatever it is called here: by this a shipped hybrid finds its model.
CREATE TABLE model_weights (
    model_id TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL
);

-- How alike two halves of the passages order the heads of an estimate: Spearman's rank correlation.
ALTER TABLE head_costs ADD COLUMN agreement REAL;

-- 95 % bootstrap interval of KL per token, over passages; NULL where it was not measured.
ALTER TABLE evaluations ADD COLUMN kl_low DOUBLE;
ALTER TABLE evaluations ADD COLUMN kl_high DOUBLE;
