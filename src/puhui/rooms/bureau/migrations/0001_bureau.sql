create schema bureau;

-- Who asked about a person, and why. Visible to the person.
create table bureau.queries (
    customer_id    text not null,
    query_id       text not null,
    reason         text not null check (reason in ('loan_application', 'post_loan', 'dispute')),
    consent_id     text not null,
    asked_as_of    timestamptz not null,
    recorded_at    timestamptz not null,
    found          boolean not null,
    report_sha256  bytea not null,
    primary key (customer_id, query_id)
);

-- What there is to report, in the order in which it happened. Facts only; names and numbers are put in when the file is written.
create table bureau.records (
    customer_id    text not null,
    record_id      text not null,
    loan_id        text not null,
    record_type    text not null check (record_type in ('110', '210', '212', '214')),
    report_time    text not null,
    report_day     date not null,
    opening        jsonb not null,
    standing       jsonb,
    is_bad         boolean not null,
    was_thin_file  boolean not null default false,
    state          text not null check (state in ('awaiting_notice', 'ready', 'batched', 'accepted', 'rejected')),
    batch_id       text,
    line           int,
    code           text,
    made_at        timestamptz not null,
    primary key (customer_id, record_id)
);
create index records_ready on bureau.records (report_day, record_id) where state in ('awaiting_notice', 'ready');
create index records_batch on bureau.records (batch_id, line);
create index records_by_loan on bureau.records (loan_id);
create index records_loan on bureau.records (customer_id, loan_id, report_day);

create table bureau.batches (
    batch_id       text primary key,
    file_name      text not null unique,
    record_type    text not null,
    business_date  date not null,
    serial         int not null,
    made_at        timestamptz not null,
    rows           int not null check (rows > 0),
    sha256         bytea not null,
    state          text not null check (state in ('made', 'received', 'checked')),
    accepted       int,
    rejected       int,
    unique (business_date, record_type, serial)
);

-- The person is told before the first bad mark of a loan is sent.
create table bureau.notices (
    customer_id    text not null,
    loan_id        text not null,
    message_id     text not null unique,
    ordered_at     timestamptz not null,
    told_at        timestamptz,
    channel        text,
    primary key (customer_id, loan_id)
);

create table bureau.disputes (
    customer_id    text not null,
    dispute_id     text not null,
    loan_id        text not null,
    month          text not null,
    claim          text not null,
    case_id        text not null,
    due            date not null,
    opened_at      timestamptz not null,
    outcome        text check (outcome in ('kept', 'corrected')),
    answered_at    timestamptz,
    primary key (customer_id, dispute_id)
);
create unique index disputes_id on bureau.disputes (dispute_id);
