create schema ledger;

-- A loan: its terms, pinned for ever, and where it stands (a snapshot of the fold, refreshed by every event and by the day's end).
create table ledger.loans (
    customer_id text not null,
    loan_id text not null,
    application_id text not null,
    product text not null,
    convention text not null,
    convention_sha256 text not null,
    contract_sha256 text not null,
    principal_fen bigint not null check (principal_fen > 0),
    rate_ppm bigint not null check (rate_ppm >= 0),
    months integer not null check (months > 0),
    method text not null,
    partition smallint not null check (partition between 0 and 15),
    opened_on date not null,
    -- where it stands
    events integer not null default 0 check (events >= 0),
    standing text not null check (standing in ('void', 'active', 'settled', 'written_off')),
    asset_class text not null check (asset_class in ('normal', 'special_mention', 'substandard', 'doubtful', 'loss')),
    stage smallint not null default 0 check (stage >= 0),
    is_nonaccrual boolean not null default false,
    class_at_restructure text,
    booked_on date not null,
    principal_owed_fen bigint not null check (principal_owed_fen >= 0),
    own_principal_fen bigint not null check (own_principal_fen >= 0),
    credit_fen bigint not null,
    due_fen bigint not null check (due_fen >= 0),
    oldest_unpaid_due date,
    next_due date,
    accrual jsonb not null,
    primary key (customer_id, loan_id),
    unique (loan_id),
    check (standing <> 'settled' or principal_owed_fen = 0)
);
create index on ledger.loans (partition, standing);
create index on ledger.loans (oldest_unpaid_due, loan_id) where oldest_unpaid_due is not null;
create index on ledger.loans (next_due) where next_due is not null;
create index on ledger.loans (customer_id) where credit_fen <> 0;

-- Who lent which part of a loan; the lender is one of them. Fixed with the pay-out.
create table ledger.legs (
    customer_id text not null,
    loan_id text not null,
    leg smallint not null check (leg >= 0),
    partner_id text not null,
    share_ppm integer not null check (share_ppm between 0 and 1000000),
    share_fen bigint not null check (share_fen >= 0),
    primary key (customer_id, loan_id, leg),
    unique (customer_id, loan_id, partner_id)
);
create index on ledger.legs (partner_id, loan_id);

-- What the cost table allows to be charged beside interest and penalty; nothing else ever is.
create table ledger.charges_allowed (
    customer_id text not null,
    loan_id text not null,
    code text not null,
    payee text not null,
    amount_fen bigint not null check (amount_fen > 0),
    primary key (customer_id, loan_id, code, payee)
);

-- The life of a loan, in the order of recording. Never edited; what was wrong is undone by a later event.
create table ledger.loan_events (
    customer_id text not null,
    loan_id text not null,
    no integer not null check (no > 0),
    kind text not null check (kind in
        ('disbursed', 'paid', 'refunded', 'credit_paid_out', 'charged', 'waived', 'restructured', 'written_off', 'undone')),
    value_date date not null,
    business_date date not null,
    recorded_at timestamptz not null,
    event_key text not null,
    facts jsonb not null,
    receipt jsonb not null,
    primary key (customer_id, loan_id, no),
    unique (customer_id, event_key),
    check (value_date <= business_date)
);
create index loan_events_restructured on ledger.loan_events (loan_id) where kind = 'restructured';

-- What each leg got (or gave back) by one event: differences of cumulative sums, so they add up to the leg's whole.
create table ledger.leg_parts (
    customer_id text not null,
    loan_id text not null,
    no integer not null,
    partner_id text not null,
    business_date date not null,
    value_date date not null,
    event text not null,
    drawn_fen bigint not null,
    principal_fen bigint not null,
    interest_fen bigint not null,
    penalty_fen bigint not null,
    waived_principal_fen bigint not null,
    waived_interest_fen bigint not null,
    primary key (customer_id, loan_id, no, partner_id)
);
create index on ledger.leg_parts (partner_id, business_date);

create function ledger.is_balanced(amounts bigint[]) returns boolean language sql immutable strict as
    'select coalesce(sum(fen), 0) = 0 from unnest(amounts) as fen';

-- The books. Debits are positive, credits negative; every posting sums to zero, and none is ever edited.
create table ledger.postings (
    customer_id text not null,
    posting_id text not null,
    loan_id text,
    no integer,
    kind text not null,
    product text not null,
    business_date date not null,
    value_date date not null,
    recorded_at timestamptz not null,
    key text not null,
    accounts text[] not null,
    owners text[] not null,
    amounts_fen bigint[] not null,
    primary key (customer_id, posting_id),
    constraint lines_are_whole check (cardinality(accounts) = cardinality(amounts_fen) and cardinality(owners) = cardinality(amounts_fen)),
    constraint lines_exist check (cardinality(amounts_fen) > 0 and 0 <> all (amounts_fen)),
    constraint debits_equal_credits check (ledger.is_balanced(amounts_fen))
);
create index on ledger.postings (business_date);
create index on ledger.postings (customer_id, loan_id, business_date);

create function ledger.refuse_edit() returns trigger language plpgsql as $$
begin
    raise exception 'what was posted is never edited: %', tg_table_name;
end $$;
create trigger postings_stay before update or delete on ledger.postings for each row execute function ledger.refuse_edit();
create trigger loan_events_stay before update or delete on ledger.loan_events for each row execute function ledger.refuse_edit();
create trigger leg_parts_stay before update or delete on ledger.leg_parts for each row execute function ledger.refuse_edit();

-- What closing a partition's day did; its key makes a repeat a no-op.
create table ledger.day_ends (
    business_date date not null,
    partition smallint not null check (partition between 0 and 15),
    loans integer not null,
    late integer not null,
    folded integer not null,
    accrued_interest_fen bigint not null,
    accrued_penalty_fen bigint not null,
    provision_fen bigint not null,
    snapshot_sha256 text not null,
    closed_at timestamptz not null,
    primary key (partition, business_date)
);

-- Days whose books every partition has closed.
create table ledger.closed_days (
    business_date date primary key,
    closed_at timestamptz not null
);

-- Certificates, as they were given out.
create table ledger.documents (
    customer_id text not null,
    sha256 text not null,
    loan_id text not null,
    kind text not null check (kind in ('settled', 'loan')),
    made_on date not null,
    body bytea not null,
    primary key (customer_id, sha256)
);

create table ledger.class_changes (
    customer_id text not null,
    loan_id text not null,
    business_date date not null,
    before text not null,
    after text not null,
    days_late integer not null,
    primary key (customer_id, loan_id, business_date)
);

-- Accounting months that are closed: nothing is posted into them any more.
create table ledger.periods (
    month text primary key check (month ~ '^\d{4}-\d{2}$'),
    closed_at timestamptz not null,
    approval_id text not null
);

-- Money that named no debt when it came.
create table ledger.unmatched (
    receipt_id text primary key,
    amount_fen bigint not null check (amount_fen > 0),
    account text not null,
    received_on date not null,
    state text not null default 'waiting' check (state in ('waiting', 'matched', 'returned')),
    ended_by text
);
