-- Times are UTC, without a zone: reading zoned ones would need another package.

CREATE TABLE models (
    model_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    architecture TEXT NOT NULL,
    layers INTEGER NOT NULL,
    heads INTEGER NOT NULL,
    is_causal BOOLEAN NOT NULL,
    parameters BIGINT NOT NULL,
    max_length BIGINT NOT NULL,
    added_at TIMESTAMP NOT NULL DEFAULT make_timestamp(epoch_us(now()))
);

CREATE TABLE sentences (
    sentence_id TEXT PRIMARY KEY,
    text TEXT NOT NULL,
    genre TEXT NOT NULL,
    split TEXT NOT NULL
);

-- Which sentences a model has been run on, in corpus order.
CREATE TABLE model_sentences (
    model_id TEXT NOT NULL,
    sentence_id TEXT NOT NULL,
    corpus TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (model_id, sentence_id)
);

CREATE TABLE programs (
    program_id TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    origin TEXT NOT NULL,      -- baseline, search, claude, person
    category TEXT NOT NULL,
    summary TEXT NOT NULL,     -- one plain-English sentence
    lookahead BOOLEAN NOT NULL,
    nodes INTEGER NOT NULL,
    added_at TIMESTAMP NOT NULL DEFAULT make_timestamp(epoch_us(now()))
);

CREATE TABLE scores (
    model_id TEXT NOT NULL,
    program_id TEXT NOT NULL,
    layer INTEGER NOT NULL,
    head INTEGER NOT NULL,
    split TEXT NOT NULL,
    iou REAL NOT NULL,
    low REAL NOT NULL,
    high REAL NOT NULL,
    js_distance REAL,          -- NULL where it was not measured
    sentences INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    PRIMARY KEY (model_id, program_id, layer, head, split)
);

-- Verdicts are a log: rows are only ever added. `undoes` names the event that an undo takes back.
CREATE SEQUENCE verdict_events;
CREATE TABLE verdicts (
    event BIGINT PRIMARY KEY DEFAULT nextval('verdict_events'),
    model_id TEXT NOT NULL,
    layer INTEGER NOT NULL,
    head INTEGER NOT NULL,
    program_id TEXT NOT NULL,
    action TEXT NOT NULL,
    undoes BIGINT,
    reviewer TEXT NOT NULL,
    reason TEXT NOT NULL,
    note TEXT NOT NULL,
    made_at TIMESTAMP NOT NULL DEFAULT make_timestamp(epoch_us(now()))
);

-- The latest event on each (head, program) that was not undone.
CREATE VIEW standing_verdicts AS
SELECT * FROM verdicts
WHERE action <> 'undo'
  AND event NOT IN (SELECT undoes FROM verdicts WHERE undoes IS NOT NULL)
QUALIFY row_number() OVER (PARTITION BY model_id, layer, head, program_id ORDER BY event DESC) = 1;

CREATE TABLE hybrids (
    hybrid_id TEXT PRIMARY KEY,
    model_id TEXT NOT NULL,
    title TEXT NOT NULL,
    heads INTEGER NOT NULL,
    share REAL NOT NULL,
    programs JSON NOT NULL,    -- [{"layer", "head", "source"}]
    added_at TIMESTAMP NOT NULL DEFAULT make_timestamp(epoch_us(now()))
);

CREATE TABLE evaluations (
    hybrid_id TEXT NOT NULL,
    passages_from TEXT NOT NULL,  -- a split's name or a file
    base_ppl DOUBLE NOT NULL,
    ppl DOUBLE NOT NULL,
    increase DOUBLE NOT NULL,
    low DOUBLE NOT NULL,
    high DOUBLE NOT NULL,
    kl DOUBLE NOT NULL,
    tokens BIGINT NOT NULL,
    passages INTEGER NOT NULL,
    kept INTEGER NOT NULL,
    made_at TIMESTAMP NOT NULL DEFAULT make_timestamp(epoch_us(now())),
    PRIMARY KEY (hybrid_id, passages_from)
);

CREATE TABLE jobs (
    job_id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,       -- running, done, failed, stopped
    stage TEXT NOT NULL,
    done INTEGER NOT NULL,
    total INTEGER NOT NULL,
    message TEXT NOT NULL,
    added_at TIMESTAMP NOT NULL DEFAULT make_timestamp(epoch_us(now()))
);

-- Events already taken in, so that reading a job's folder again changes nothing.
CREATE TABLE job_events (
    job_id TEXT NOT NULL,
    event INTEGER NOT NULL,
    PRIMARY KEY (job_id, event)
);
