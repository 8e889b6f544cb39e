create schema payments;

-- Our instructions to the rail. One key for life; what has ended is never sent again.
create table payments.orders (
    customer_id      text not null,
    payment_order_id text not null,
    loan_id          text,
    direction        text not null check (direction in ('pay_out', 'collect')),
    purpose          text not null,
    amount_fen       bigint not null check (amount_fen > 0),
    sources          jsonb not null,
    target           text not null,
    allow_partial    boolean not null,
    note             text not null,
    mandate_id       text,
    ordered_at       timestamptz not null,
    ordered_on       date not null,
    state            text not null check (state in ('created', 'sent', 'unknown', 'paid', 'failed', 'returned', 'cancelled')),
    rail_id          text,
    seq              int not null default 0,
    done_fen         bigint not null default 0 check (done_fen between 0 and amount_fen),
    fee_fen          bigint not null default 0 check (fee_fen >= 0),
    ended_at         timestamptz,
    ended_on         date,
    returned_at      timestamptz,
    returned_on      date,
    code             text,
    tries            int not null default 0,
    primary key (customer_id, payment_order_id)
);
create unique index orders_key on payments.orders (payment_order_id);
create index orders_loan on payments.orders (customer_id, loan_id);
create index orders_open on payments.orders (payment_order_id) where state in ('created', 'sent', 'unknown');
create index orders_ended on payments.orders (ended_on);
create index orders_returned on payments.orders (returned_on) where returned_on is not null;
-- At most one living pay-out of a loan: the money leaves once.
create unique index orders_one_disbursement on payments.orders (customer_id, loan_id)
    where purpose = 'disburse' and state in ('created', 'sent', 'unknown', 'paid');

-- What has been booked of an order: once per order and kind, in the transaction of its postings.
create table payments.booked (
    customer_id      text not null,
    payment_order_id text not null,
    kind             text not null check (kind in ('paid', 'failed', 'returned')),
    at               timestamptz not null,
    primary key (customer_id, payment_order_id, kind)
);

-- The borrower's permission to collect.
create table payments.mandates (
    customer_id     text not null,
    mandate_id      text not null,
    loan_id         text not null,
    account         text not null,
    max_each_fen    bigint not null check (max_each_fen > 0),
    until           date not null,
    contract_sha256 text not null,
    is_on           boolean not null,
    changed_at      timestamptz not null,
    primary key (customer_id, mandate_id)
);
create unique index mandates_loan on payments.mandates (customer_id, loan_id);

-- Money that people sent by themselves.
create table payments.receipts (
    receipt_id  text primary key,
    customer_id text,
    loan_id     text,
    account     text not null,
    amount_fen  bigint not null check (amount_fen > 0),
    payer_tail  text not null,
    memo        bytea not null,
    received_at timestamptz not null,
    received_on date not null,
    state       text not null check (state in ('matched', 'unmatched', 'given_back')),
    matched_at  timestamptz,
    matched_by  text
);
create index receipts_unmatched on payments.receipts (received_at) where state = 'unmatched';
create index receipts_day on payments.receipts (received_on);

-- The rail's files as they came, and what differed from our own orders.
create table payments.files (
    name          text primary key,
    business_date date not null,
    sha256        text not null,
    row_count     int not null,
    state         text not null check (state in ('compared', 'refused')),
    why           text,
    at            timestamptz not null
);

create table payments.breaks (
    business_date date not null,
    key           text not null,
    kind          text not null,
    ours          jsonb,
    theirs        jsonb,
    amount_fen    bigint not null,
    state         text not null default 'found' check (state in ('found', 'explained', 'corrected', 'closed')),
    found_at      timestamptz not null,
    explanation   text,
    explained_by  text,
    closed_at     timestamptz,
    primary key (business_date, key, kind)
);
create index breaks_open on payments.breaks (found_at) where state <> 'closed';

-- How far a service's list of events has been read.
create table payments.cursors (
    service text primary key,
    cursor  text not null,
    at      timestamptz not null
);
