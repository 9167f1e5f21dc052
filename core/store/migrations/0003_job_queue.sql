-- What a job was asked and how it goes. Moments are seconds since 1970.
ALTER TABLE jobs ADD COLUMN model_id TEXT DEFAULT '';
ALTER TABLE jobs ADD COLUMN settings TEXT DEFAULT '{}';        -- JSON: heads, limits and what else it was asked
ALTER TABLE jobs ADD COLUMN queued_at DOUBLE DEFAULT 0;
ALTER TABLE jobs ADD COLUMN heard_at DOUBLE DEFAULT 0;         -- the latest event's moment
ALTER TABLE jobs ADD COLUMN worked DOUBLE DEFAULT 0;           -- seconds a worker was at it, without pauses
ALTER TABLE jobs ADD COLUMN stage_at DOUBLE DEFAULT 0;         -- the stage's first progress since the worker started
ALTER TABLE jobs ADD COLUMN stage_from INTEGER DEFAULT 0;      -- what was done then
ALTER TABLE jobs ADD COLUMN progress_at DOUBLE DEFAULT 0;      -- the latest progress
ALTER TABLE jobs ADD COLUMN cost DOUBLE DEFAULT 0;             -- USD so far

-- What a job's results did for the heads they were found for: best IoU on validation before and after.
CREATE TABLE job_heads (
    job_id TEXT NOT NULL,
    layer INTEGER NOT NULL,
    head INTEGER NOT NULL,
    event INTEGER NOT NULL,
    seconds DOUBLE NOT NULL,   -- of work until then
    before REAL NOT NULL,
    after REAL NOT NULL,
    PRIMARY KEY (job_id, layer, head, event)
);
