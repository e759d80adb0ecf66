-- What operators change with `upschedule ops`, and a record of it (docs/decisions/0031-operators-endpoint.md).

CREATE TABLE operator_actions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    done_at timestamptz NOT NULL DEFAULT now(),
    action text NOT NULL,
    -- As the operator's machine says; the address is that of the connection.
    operator text NOT NULL,
    address text NOT NULL,
    reason text NOT NULL,
    -- No reference: the record outlives the job.
    job_id uuid,
    CONSTRAINT operator_actions_action_check CHECK (action IN ('retry', 'cancel', 'pause', 'resume'))
);
CREATE INDEX operator_actions_done_idx ON operator_actions (done_at);
CREATE INDEX operator_actions_job_idx ON operator_actions (job_id) WHERE job_id IS NOT NULL;

-- While `paused_at` is set, workers claim no job.
CREATE TABLE queue_pauses (
    name text PRIMARY KEY,
    paused_at timestamptz
);
INSERT INTO queue_pauses (name, paused_at) VALUES ('jobs', NULL);

-- Adds the move from `queued` to `failed`: an operator cancels a job that waits.
CREATE OR REPLACE FUNCTION jobs_check_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> NEW.status AND (OLD.status, NEW.status) NOT IN (
        ('queued', 'processing'),
        ('queued', 'failed'),
        ('processing', 'completed'),
        ('processing', 'queued'),
        ('processing', 'failed'),
        ('failed', 'queued'),
        ('completed', 'queued')
    ) THEN
        RAISE EXCEPTION 'job % may not move from % to %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END;
$$;
