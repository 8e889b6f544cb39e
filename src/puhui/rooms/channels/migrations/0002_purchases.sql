-- A purchase in a shop, to be paid on installments. It is the shop's until a person ties an application to it.
create table channels.purchases (
    merchant_id      text not null,
    order_id         text not null,
    scene_id         text not null,
    amount_fen       bigint not null check (amount_fen > 0),
    items            jsonb not null,
    buyer_ref        text not null,
    return_url       text not null,
    token_hash       bytea not null unique,
    quoted_at        timestamptz not null,
    lapses_at        timestamptz not null check (lapses_at > quoted_at),
    customer_id      text,
    application_id   text,
    loan_id          text,
    funded_on        date,
    term_until       date,
    delivered_on     date,
    refund_asked_fen bigint not null default 0,
    refunded_fen     bigint not null default 0,
    settled_on       date,
    cancelled_on     date,
    why              text not null default '',
    primary key (merchant_id, order_id),
    constraint tied_to_a_person check ((customer_id is null) = (application_id is null)),
    constraint funded_by_a_loan check ((funded_on is null) = (loan_id is null) and (funded_on is null) = (term_until is null)),
    constraint delivered_after_funded check (delivered_on is null or funded_on is not null),
    constraint refunds_within_amount check (refunded_fen between 0 and refund_asked_fen and refund_asked_fen <= amount_fen),
    constraint refunds_of_funded check (refund_asked_fen = 0 or funded_on is not null),
    constraint one_end check (settled_on is null or cancelled_on is null)
);
create unique index purchases_application on channels.purchases (customer_id, application_id) where application_id is not null;
create index purchases_loan on channels.purchases (customer_id, loan_id) where loan_id is not null;
create index purchases_open on channels.purchases (merchant_id) where funded_on is not null and settled_on is null and cancelled_on is null;

-- What a shop gave back, each once under its own id.
create table channels.purchase_refunds (
    merchant_id      text not null,
    refund_id        text not null,
    order_id         text not null,
    amount_fen       bigint not null check (amount_fen > 0),
    reason           text not null,
    payment_order_id text not null unique,
    state            text not null check (state in ('asked', 'paid', 'failed', 'given_back')),
    asked_on         date not null,
    ended_on         date,
    primary key (merchant_id, refund_id)
);
create index purchase_refunds_order on channels.purchase_refunds (merchant_id, order_id);

-- What the daily file tells a shop: every movement of a purchase, once, never edited.
create table channels.purchase_events (
    merchant_id   text not null,
    order_id      text not null,
    no            int not null check (no >= 1),
    event         text not null check (event in ('funded', 'delivered', 'refunded', 'returned', 'refund_given_back')),
    business_date date not null,
    amount_fen    bigint not null check (amount_fen >= 0),
    fee_fen       bigint not null check (fee_fen >= 0),
    at            timestamptz not null,
    primary key (merchant_id, order_id, no)
);
create index purchase_events_day on channels.purchase_events (business_date, merchant_id);

create function channels.refuse_edit() returns trigger language plpgsql as $$
begin
    raise exception 'what was told is never edited: %', tg_table_name;
end $$;
create trigger purchase_events_stay before update or delete on channels.purchase_events for each row execute function channels.refuse_edit();
