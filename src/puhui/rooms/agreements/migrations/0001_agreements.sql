create schema agreements;

-- Everything a person read or signed, by its hash; the bytes are encrypted for that person.
create table agreements.documents (
    customer_id text not null,
    sha256      text not null check (length(sha256) = 64),
    kind        text not null check (kind in ('cost_table', 'contract', 'evidence')),
    loan_id     text not null,
    content     bytea not null,
    at          timestamptz not null,
    primary key (customer_id, sha256)
);
create index documents_loan on agreements.documents (customer_id, loan_id, kind);

-- The cost tables shown for a loan, and how far each was read; at most one of them holds.
create table agreements.tables (
    customer_id     text not null,
    loan_id         text not null,
    number          int not null,
    application_id  text not null,
    table_sha256    text not null,
    state           text not null check (state in ('shown', 'reading', 'confirmed', 'signed', 'abandoned')),
    reading_time_s  int not null,
    shown_at        timestamptz not null,
    opened_at       timestamptz,
    confirmed_at    timestamptz,
    contract_sha256 text,
    mandate_id      text,
    signed_at       timestamptz,
    primary key (customer_id, loan_id, number),
    check (state not in ('confirmed', 'signed') or confirmed_at is not null),
    check (state <> 'signed' or signed_at is not null)
);
create unique index tables_hash on agreements.tables (customer_id, table_sha256);
create unique index tables_contract on agreements.tables (customer_id, contract_sha256) where contract_sha256 is not null;
create unique index tables_in_force on agreements.tables (customer_id, loan_id) where state <> 'abandoned';
create index tables_application on agreements.tables (customer_id, application_id);

-- Each time the person set out to sign; `code` is the authority's refusal, if it refused.
create table agreements.signings (
    customer_id     text not null,
    signature_id    text not null,
    loan_id         text not null,
    contract_sha256 text not null,
    state           text not null check (state in ('asked', 'signed', 'refused', 'overtaken')),
    code            text,
    at              timestamptz not null,
    primary key (customer_id, signature_id)
);
create index signings_contract on agreements.signings (customer_id, contract_sha256);

-- The chain of a person's evidence packs.
create table agreements.packs (
    customer_id     text not null,
    no              int not null,
    loan_id         text not null,
    sha256          text not null,
    previous_sha256 text not null,
    at              timestamptz not null,
    primary key (customer_id, no)
);
create unique index packs_loan on agreements.packs (customer_id, loan_id);
