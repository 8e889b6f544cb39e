create schema boards;

create table boards.applications (
    customer_id    text not null,
    application_id text not null,
    entry_id       text,
    scene          text,
    amount_fen     bigint not null default 0 check (amount_fen >= 0),
    months         int not null default 0,
    tapped_at      timestamptz,
    decided_at     timestamptz,
    outcome        text,
    band           text,
    is_thin_file   boolean,
    accepted_at    timestamptz,
    signed_at      timestamptz,
    ended_at       timestamptz,
    ended_why      text,
    primary key (customer_id, application_id)
);
create index applications_tapped on boards.applications (tapped_at);

create table boards.loans (
    customer_id         text not null,
    loan_id             text not null,
    application_id      text,
    amount_fen          bigint not null default 0 check (amount_fen >= 0),
    months              int not null default 0,
    value_date          date,
    paid_at             timestamptz,
    signed_at           timestamptz,
    returned_at         timestamptz,
    repayments          int not null default 0,
    repaid_fen          bigint not null default 0,
    left_fen            bigint,
    left_seq            bigint not null default 0,
    stage               text,
    days_late           int not null default 0,
    overdue_fen         bigint not null default 0,
    stage_seq           bigint not null default 0,
    asset_class         text,
    class_seq           bigint not null default 0,
    settled_on          date,
    written_off_fen     bigint not null default 0,
    recovered_fen       bigint not null default 0,
    is_first_loan       boolean not null default false,
    primary key (customer_id, loan_id)
);
create index loans_value_date on boards.loans (value_date);

create table boards.shares (
    customer_id text not null,
    loan_id     text not null,
    partner_id  text not null,
    share_fen   bigint not null check (share_fen >= 0),
    share_ppm   bigint not null check (share_ppm >= 0),
    primary key (customer_id, loan_id, partner_id)
);

create table boards.cases (
    customer_id text not null,
    case_id     text not null,
    kind        text,
    opened_at   timestamptz,
    due         date,
    closed_at   timestamptz,
    outcome     text,
    primary key (customer_id, case_id)
);

create table boards.entry_days (
    entry_id text not null,
    day      date not null,
    sessions bigint not null default 0 check (sessions >= 0),
    primary key (entry_id, day)
);

create table boards.days (
    day              date primary key,
    registered       bigint not null default 0,
    repayments       bigint not null default 0,
    late_repayments  bigint not null default 0,
    repaid_fen       bigint not null default 0,
    reversed_fen     bigint not null default 0,
    failed_collects  bigint not null default 0,
    failed_pay_outs  bigint not null default 0,
    messages         bigint not null default 0,
    is_closed        boolean not null default false
);
