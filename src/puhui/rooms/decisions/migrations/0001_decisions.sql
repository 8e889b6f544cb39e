create schema decisions;

-- What decisions run on: bytes named by their own hash, kept for ever, so that any decision can be run again.
create table decisions.artefacts (
    sha256      text primary key,
    kind        text not null check (kind in ('scorecard', 'policy', 'product')),
    content     bytea not null,
    recorded_at timestamptz not null
);

-- A strategy is three artefacts that decide together; versions are never edited, only followed.
create table decisions.strategies (
    strategy_sha256  text primary key,
    product_id       text not null,
    version          int not null check (version >= 1),
    scorecard_sha256 text not null references decisions.artefacts (sha256),
    policy_sha256    text not null references decisions.artefacts (sha256),
    product_sha256   text not null references decisions.artefacts (sha256),
    standing         text not null check (standing in ('draft', 'shadow', 'challenger', 'champion', 'retired')),
    share_bp         int not null default 0 check (share_bp between 0 and 10000),
    approval_id      text not null,
    changed_at       timestamptz not null,
    unique (product_id, version)
);
create unique index strategies_champion on decisions.strategies (product_id) where standing = 'champion';

create table decisions.strategy_changes (
    change_id       bigint generated always as identity primary key,
    strategy_sha256 text not null references decisions.strategies (strategy_sha256),
    standing        text not null,
    share_bp        int not null,
    approval_id     text not null,
    at              timestamptz not null
);

create table decisions.applications (
    customer_id    text not null,
    application_id text not null,
    k              int not null check (k >= 1),
    session_id     text not null,
    entry_id       text not null,
    scene          text not null,
    order_token    text not null,
    device_id      text not null,
    amount_fen     bigint not null check (amount_fen > 0),
    months         int not null check (months > 0),
    purpose        text not null,
    tapped_at      timestamptz not null,
    state          text not null check (state in ('waiting', 'proof', 'offered', 'accepted', 'declined', 'ended')),
    why            text not null default '',
    ended_at       timestamptz,
    primary key (customer_id, application_id),
    unique (customer_id, k)
);
-- One open application a person.
create unique index applications_open on decisions.applications (customer_id) where state in ('waiting', 'proof', 'offered', 'accepted');
create index applications_device on decisions.applications (device_id, tapped_at);

-- What the person sent beside: self-supplied proofs, each with what it says.
create table decisions.proofs (
    customer_id    text not null,
    application_id text not null,
    k              int not null,
    kind           text not null,
    file_ref       text not null,
    fields_sealed  bytea not null,
    at             timestamptz not null,
    primary key (customer_id, application_id, k)
);

-- One immutable record a decision. `inputs` and `outcome` are canonical JSON, sealed; their hashes prove them.
create table decisions.records (
    customer_id     text not null,
    decision_id     text not null,
    application_id  text not null,
    k               int not null check (k >= 1),
    kind            text not null check (kind in ('apply', 'proof', 'review')),
    at              timestamptz not null,
    inputs_sealed   bytea not null,
    inputs_sha256   text not null,
    outcome_sealed  bytea not null,
    outcome_sha256  text not null,
    strategy_sha256 text not null,
    artefacts       jsonb not null,
    packs           jsonb not null,
    sources         jsonb not null,
    shadows         jsonb not null default '[]',
    kernel          int not null,
    points          int not null,
    probability_ppm int not null check (probability_ppm between 0 and 1000000),
    band            text not null,
    answer          text not null check (answer in ('offer', 'declined', 'proof')),
    limit_fen       bigint not null check (limit_fen >= 0),
    ladder          text not null,
    fired           jsonb not null,
    is_thin_file    boolean not null,
    has_no_flip     boolean not null,
    decided_by      text not null,
    review_of       text,
    primary key (customer_id, decision_id),
    unique (customer_id, application_id, k),
    check ((kind = 'review') = (review_of is not null))
);
create index records_in_order on decisions.records (at, decision_id);

create function decisions.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'a decision record is never changed';
end $$;
create trigger records_are_immutable before update or delete on decisions.records for each row execute function decisions.refuse_change();

create table decisions.offers (
    customer_id    text not null,
    offer_id       text not null,
    application_id text not null,
    decision_id    text not null,
    method         text not null,
    amount_min_fen bigint not null check (amount_min_fen > 0),
    amount_max_fen bigint not null,
    step_fen       bigint not null check (step_fen > 0),
    months         int[] not null,
    rate_ppm       bigint not null check (rate_ppm >= 0),
    all_in_max_ppm bigint not null,
    expires_at     timestamptz not null,
    primary key (customer_id, offer_id),
    check (amount_max_fen >= amount_min_fen)
);
create index offers_application on decisions.offers (customer_id, application_id);

-- Exposure: one row a person, locked by whoever would raise it. What is owed is the ledger's figure of principal.
create table decisions.exposures (
    customer_id text primary key,
    owed_fen    bigint not null check (owed_fen >= 0),
    held_fen    bigint not null check (held_fen >= 0),
    cap_fen     bigint not null,
    check (owed_fen + held_fen <= cap_fen)
);
create table decisions.holds (
    customer_id    text not null,
    loan_id        text not null,
    application_id text not null,
    offer_id       text not null,
    amount_fen     bigint not null check (amount_fen > 0),
    months         int not null,
    state          text not null check (state in ('held', 'used', 'freed')),
    at             timestamptz not null,
    primary key (customer_id, loan_id)
);
