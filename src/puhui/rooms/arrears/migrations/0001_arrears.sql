create schema arrears;

create table arrears.cases (
    customer_id text not null,
    loan_id     text not null,
    k           int not null check (k >= 1),
    opened_on   date not null,
    late_since  date not null check (late_since <= opened_on),
    closed_on   date check (closed_on >= opened_on),
    stage       text not null,
    overdue_fen bigint not null check (overdue_fen >= 0),
    planned_day int not null default 0,
    proposed_on date,
    ended_by    text check (ended_by in ('caught_up', 'settled', 'restructured', 'written_off', 'not_mine')),
    primary key (customer_id, loan_id, k),
    check ((closed_on is null) = (ended_by is null))
);
create unique index cases_open on arrears.cases (customer_id, loan_id) where closed_on is null;
create index cases_by_stage on arrears.cases (stage) where closed_on is null;

create table arrears.stage_changes (
    customer_id text not null,
    loan_id     text not null,
    business_date date not null,
    stage       text not null,
    days_late   int not null,
    overdue_fen bigint not null,
    recorded_at timestamptz not null,
    primary key (customer_id, loan_id, business_date, stage)
);

create table arrears.promises (
    customer_id text not null,
    loan_id     text not null,
    k           int not null check (k >= 1),
    made_at     timestamptz not null,
    day         date not null,
    amount_fen  bigint not null check (amount_fen > 0),
    state       text not null check (state in ('open', 'kept', 'broken')),
    primary key (customer_id, loan_id, k)
);

create table arrears.hardships (
    customer_id text not null,
    case_id     text not null,
    loan_id     text not null,
    reason      text not null,
    proof_ref   text,
    asked_at    timestamptz not null,
    state       text not null check (state in ('asked', 'granted', 'refused')),
    months      int,
    answered_at timestamptz,
    answered_by text,
    primary key (customer_id, case_id),
    check ((state = 'asked') = (answered_at is null))
);
create unique index hardships_open on arrears.hardships (customer_id, loan_id) where state = 'asked';

create table arrears.assignments (
    customer_id text not null,
    loan_id     text not null,
    partner_id  text not null,
    since       date not null,
    until       date check (until >= since),
    primary key (customer_id, loan_id, partner_id, since)
);
