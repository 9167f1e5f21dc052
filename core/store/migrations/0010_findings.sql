-- What audits found: the newest of each audit on each subject, a head's program or a hybrid.
CREATE TABLE findings (
    model_id TEXT NOT NULL,
    audit TEXT NOT NULL,
    subject TEXT NOT NULL,     -- a hybrid's id, or head and program: L3H7/<program_id>
    layer INTEGER,             -- of a program
    head INTEGER,
    program_id TEXT,
    hybrid_id TEXT,            -- of a hybrid
    verdict TEXT NOT NULL,
    limits TEXT NOT NULL,      -- JSON: the options it ran with
    content TEXT NOT NULL,     -- JSON: the whole finding
    made_at DOUBLE NOT NULL,   -- seconds since 1970
    PRIMARY KEY (model_id, audit, subject)
);
