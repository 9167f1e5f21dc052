-- A person's edit names the program it was made from.
ALTER TABLE programs ADD COLUMN parent TEXT;

-- `uid` names an event everywhere, so that a log can be merged into another; `batch` ties decisions made at once.
ALTER TABLE verdicts ADD COLUMN uid TEXT;
ALTER TABLE verdicts ADD COLUMN batch TEXT;
UPDATE verdicts SET uid = uuid()::TEXT;

-- Each reviewer's latest event on each (head, program) that was not undone. Events are ordered by time,
-- since imported ones are numbered later than they were made.
CREATE VIEW reviewer_verdicts AS
SELECT * FROM verdicts
WHERE action <> 'undo'
  AND event NOT IN (SELECT undoes FROM verdicts WHERE undoes IS NOT NULL)
QUALIFY row_number() OVER (
    PARTITION BY model_id, layer, head, program_id, reviewer ORDER BY made_at DESC, event DESC) = 1;

-- What stands on each (head, program): the latest accept or reject of any reviewer; else the latest flag; else skip.
CREATE OR REPLACE VIEW standing_verdicts AS
SELECT * FROM reviewer_verdicts
QUALIFY row_number() OVER (
    PARTITION BY model_id, layer, head, program_id
    ORDER BY CASE action WHEN 'flag' THEN 1 WHEN 'skip' THEN 2 ELSE 0 END, made_at DESC, event DESC) = 1;

-- Where each reviewer is: queue, order, filter, blind mode and card.
CREATE TABLE review_states (
    model_id TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    state JSON NOT NULL,
    PRIMARY KEY (model_id, reviewer)
);

-- Scores without their index, which took eight times the room of the table and most of the app's memory:
-- `add_scores` keeps them unique.
ALTER TABLE scores RENAME TO indexed_scores;
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
    failures INTEGER NOT NULL
);
INSERT INTO scores SELECT * FROM indexed_scores;
DROP TABLE indexed_scores;
