-- The leaderboard is derived from run folders and bundles: only the table submission holds what they do not.

CREATE TABLE schema_version (version INTEGER NOT NULL);

CREATE TABLE run (
    run_id          VARCHAR PRIMARY KEY,  -- makes two connections that add one run at once conflict instead of doubling it
    suite_key       VARCHAR NOT NULL,     -- suite@version, with :track if any
    suite           VARCHAR NOT NULL,
    suite_version   INTEGER NOT NULL,
    track           VARCHAR,
    model           VARCHAR NOT NULL,
    model_spec      VARCHAR NOT NULL,
    status          VARCHAR NOT NULL,     -- ok, partial, failed
    started         VARCHAR NOT NULL,     -- ISO 8601, UTC
    finished        VARCHAR NOT NULL,
    protocol_digest VARCHAR NOT NULL,
    reference       BOOLEAN NOT NULL,     -- ground truth
    untrained       VARCHAR,              -- rule and seed of random weights; null for trained ones
    items           BIGINT NOT NULL,      -- planned
    errors          BIGINT NOT NULL,
    folder          VARCHAR NOT NULL,
    record          VARCHAR NOT NULL      -- the whole record.json
);

CREATE TABLE result (
    run_id          VARCHAR NOT NULL,
    metric          VARCHAR NOT NULL,
    version         BIGINT NOT NULL,
    direction       VARCHAR NOT NULL,     -- higher, lower, reference
    value           DOUBLE,               -- natural units; null when nothing could be scored
    low             DOUBLE,
    high            DOUBLE,
    level           DOUBLE NOT NULL,
    interval_method VARCHAR NOT NULL,
    interval_note   VARCHAR NOT NULL,
    standard_error  DOUBLE,
    scored          BIGINT NOT NULL,
    unscored        BIGINT NOT NULL,
    errors          BIGINT NOT NULL,
    clusters        BIGINT NOT NULL
);

-- No key on scores: it would make the file eight times larger, and a run is always replaced as a whole.
CREATE TABLE score (
    run_id         VARCHAR NOT NULL,
    item_id        VARCHAR NOT NULL,
    seed           BIGINT NOT NULL,
    cluster        VARCHAR NOT NULL,
    metric         VARCHAR NOT NULL,
    metric_version BIGINT NOT NULL,
    value          DOUBLE,
    weight         DOUBLE NOT NULL,
    status         VARCHAR NOT NULL,      -- ok, unscored, error
    note           VARCHAR NOT NULL
);

-- Of runs that came as a bundle, or were withdrawn; a run without a row was made here.
CREATE TABLE submission (
    run_id    VARCHAR PRIMARY KEY,
    status    VARCHAR NOT NULL,       -- local, reported, re-scored, verified
    note      VARCHAR NOT NULL,       -- who checked it and how
    date      VARCHAR NOT NULL,       -- of the status, ISO 8601, UTC
    sha256    VARCHAR,                -- of the bundle; null for a run made here
    withdrawn VARCHAR,                -- when, ISO 8601, UTC; null while the run stands
    reason    VARCHAR NOT NULL        -- why it was withdrawn
);

-- Trainings, derived from their run folders. No table or view of a suite reads them.
CREATE TABLE training_runs (
    run_id    VARCHAR PRIMARY KEY,
    method    VARCHAR NOT NULL,      -- the way to train: supervised, preference, ...
    model     VARCHAR NOT NULL,      -- the specification that it began with
    untrained BOOLEAN NOT NULL,      -- whether that was random numbers
    status    VARCHAR NOT NULL,      -- running, finished, stopped
    seed      BIGINT,
    steps     BIGINT NOT NULL,       -- that were taken
    planned   BIGINT,
    started   VARCHAR NOT NULL,      -- ISO 8601, UTC
    folder    VARCHAR NOT NULL,
    config    VARCHAR NOT NULL,      -- JSON, without open ends
    record    VARCHAR NOT NULL       -- the whole run.json
);

-- A row for each number of each line of the log: losses, reward/NAME/mean, kl and so on.
CREATE TABLE training_steps (
    run_id VARCHAR NOT NULL,
    step   BIGINT NOT NULL,          -- from 1
    name   VARCHAR NOT NULL,
    value  DOUBLE NOT NULL
);

-- One line per reward and step.
CREATE VIEW training_reward AS
SELECT run_id, step, found.reward AS reward,
    max(value) FILTER (found.statistic = 'mean') AS mean,
    max(value) FILTER (found.statistic = 'std') AS std,
    max(value) FILTER (found.statistic = 'min') AS low,
    max(value) FILTER (found.statistic = 'max') AS high
FROM (
    SELECT run_id, step, value,
        regexp_extract(name, '^reward/(.+)/(mean|std|min|max)$', ['reward', 'statistic']) AS found
    FROM training_steps
)
WHERE found.reward <> ''
GROUP BY run_id, step, found.reward;

-- The newest run that did not fail and was not withdrawn, of each model under each protocol.
CREATE VIEW latest AS
SELECT * FROM run
WHERE status <> 'failed' AND run_id NOT IN (SELECT run_id FROM submission WHERE withdrawn IS NOT NULL)
QUALIFY row_number() OVER (PARTITION BY suite_key, model, protocol_digest ORDER BY finished DESC, run_id DESC) = 1;

-- One line per model and metric, of the newest runs.
CREATE VIEW cell AS
SELECT latest.suite_key, latest.model, latest.reference, latest.untrained, latest.protocol_digest, latest.items, result.*
FROM latest JOIN result USING (run_id);

-- What went wrong, item by item.
CREATE VIEW error AS
SELECT run.suite_key, run.model, score.run_id, score.item_id, score.seed, score.metric, score.note
FROM score JOIN run USING (run_id)
WHERE score.status = 'error';
