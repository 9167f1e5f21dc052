-- What a hybrid was compared with its model on: next tokens, masked tokens or final states. Of final states
-- there is no perplexity, and `kl` is their cosine distance.
ALTER TABLE evaluations ADD COLUMN measure TEXT DEFAULT 'next tokens';
ALTER TABLE evaluations ALTER COLUMN base_ppl DROP NOT NULL;
ALTER TABLE evaluations ALTER COLUMN ppl DROP NOT NULL;
ALTER TABLE evaluations ALTER COLUMN increase DROP NOT NULL;
ALTER TABLE evaluations ALTER COLUMN low DROP NOT NULL;
ALTER TABLE evaluations ALTER COLUMN high DROP NOT NULL;
