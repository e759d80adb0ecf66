-- Rows that students report as read wrongly (docs/operators.md).

CREATE TABLE row_reports (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    -- The report stays where its document goes: the row itself names no person.
    job_id uuid REFERENCES jobs ON DELETE SET NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    reader_version text,
    -- As it was read.
    event jsonb NOT NULL,
    remark text NOT NULL CHECK (length(remark) <= 1000),
    -- The student lets operators have the file until then.
    file_until timestamptz
);
CREATE INDEX row_reports_account_idx ON row_reports (account_id);
CREATE INDEX row_reports_job_idx ON row_reports (job_id);
CREATE INDEX row_reports_created_idx ON row_reports (created_at);
