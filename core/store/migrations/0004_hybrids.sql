-- How a hybrid was chosen, and what was measured of it besides perplexity.
ALTER TABLE hybrids ADD COLUMN made TEXT DEFAULT '{}';          -- JSON: order, budget, calibration [(step, KL)]
ALTER TABLE evaluations ADD COLUMN details TEXT DEFAULT '{}';   -- JSON: genres, strict, damage to each token

-- What a head costs when its program alone replaces it.
CREATE TABLE head_costs (
    model_id TEXT NOT NULL,
    layer INTEGER NOT NULL,
    head INTEGER NOT NULL,
    program_id TEXT NOT NULL,
    kl REAL NOT NULL,          -- nats per token, on validation
    passages INTEGER NOT NULL,
    PRIMARY KEY (model_id, layer, head, program_id)
);

-- Perplexity against share of heads, as measured; content is JSON rows of order, share and increase.
CREATE SEQUENCE curve_numbers;
CREATE TABLE curves (
    curve BIGINT PRIMARY KEY DEFAULT nextval('curve_numbers'),
    model_id TEXT NOT NULL,
    content TEXT NOT NULL,
    made_at TIMESTAMP NOT NULL DEFAULT make_timestamp(epoch_us(now()))
);

CREATE TABLE downstream (
    hybrid_id TEXT NOT NULL,
    task TEXT NOT NULL,
    content TEXT NOT NULL,     -- JSON: accuracy of model and hybrid with intervals
    made_at TIMESTAMP NOT NULL DEFAULT make_timestamp(epoch_us(now())),
    PRIMARY KEY (hybrid_id, task)
);
