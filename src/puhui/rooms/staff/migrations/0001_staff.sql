create schema staff;

create table staff.accounts (
    staff_id       text primary key,
    login          text not null unique check (login ~ '^[a-z][a-z0-9._-]{1,31}$'),
    name_sealed    bytea not null,
    roles          text[] not null check (cardinality(roles) >= 1),
    state          text not null check (state in ('active', 'closed')),
    password_hash  text not null,
    totp_sealed    bytea,
    totp_is_on     boolean not null default false,
    totp_step      bigint not null default 0,
    failed         int not null default 0 check (failed >= 0),
    locked_until   timestamptz,
    created_at     timestamptz not null,
    created_by     text not null,
    check (totp_sealed is not null or not totp_is_on)
);

create table staff.sessions (
    session_id text primary key,
    staff_id   text not null references staff.accounts (staff_id),
    since_at   timestamptz not null,
    idle_until timestamptz not null,
    ended_at   timestamptz
);
create index sessions_staff on staff.sessions (staff_id);

create table staff.approvals (
    approval_id    text primary key,
    kind           text not null,
    subject        text not null,
    content_sha256 text not null check (length(content_sha256) = 64),
    state          text not null check (state in ('open', 'given', 'used', 'declined')),
    asked_by       text not null references staff.accounts (staff_id),
    asked_at       timestamptz not null,
    decided_by     text references staff.accounts (staff_id),
    decided_at     timestamptz,
    used_at        timestamptz,
    why            text,
    check (decided_by is null or decided_by <> asked_by),
    check ((state = 'open') = (decided_by is null)),
    check ((state = 'used') = (used_at is not null))
);
create unique index approvals_open on staff.approvals (kind, subject, content_sha256) where state = 'open';

create table staff.audit (
    seq     bigint primary key,
    at      timestamptz not null,
    actor   text not null,
    verb    text not null,
    subject text not null,
    facts   jsonb not null,
    before  bytea not null check (length(before) = 32),
    chain   bytea not null check (length(chain) = 32)
);
create index audit_subject on staff.audit (subject, seq);
create index audit_actor on staff.audit (actor, at);

create table staff.audit_head (
    one   boolean primary key check (one),
    seq   bigint not null,
    chain bytea not null
);
insert into staff.audit_head values (true, 0, decode(repeat('00', 32), 'hex'));

create function staff.audit_is_kept() returns trigger language plpgsql as $$
begin
    raise exception 'the audit is never edited';
end
$$;
create trigger audit_is_kept before update or delete on staff.audit for each row execute function staff.audit_is_kept();
