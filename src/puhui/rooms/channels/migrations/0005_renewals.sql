-- A visit gets a new secret for its cookie whenever more is opened to it (log-in, another proof of who it is); the old one opens nothing.
-- The request that brought this about may be sent again with the old secret for a short while: it alone is recognized by it.
alter table channels.sessions
    add column turn int not null default 0 check (turn >= 0),
    add column ended_secret_hash bytea,
    add column renewed_by bytea,
    add column renewed_at timestamptz;
create index sessions_ended_secret on channels.sessions (ended_secret_hash) where ended_secret_hash is not null;
