-- What people wrote of a run or a hybrid, and when they took it off the tables. What is deleted stays where it is, so
-- that it can be had back.
CREATE TABLE labels (
    subject TEXT PRIMARY KEY,  -- a job's or a hybrid's id
    name TEXT NOT NULL,        -- empty: what it is called by itself
    note TEXT NOT NULL,
    tags TEXT[] NOT NULL,
    deleted_at TIMESTAMP
);
