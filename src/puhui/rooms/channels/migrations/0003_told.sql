-- Applications that came out of a partner's embedded page, and what that partner is told of their course, in order.
create table channels.embedded (
    customer_id    text not null,
    application_id text not null,
    session_id     text not null,
    partner_id     text not null,
    loan_id        text,
    primary key (customer_id, application_id)
);
create unique index embedded_loan on channels.embedded (customer_id, loan_id) where loan_id is not null;

create table channels.told (
    customer_id    text not null,
    application_id text not null,
    seq            int not null check (seq >= 1),
    event_id       text not null unique,
    partner_id     text not null,
    kind           text not null check (kind in ('applied', 'approved', 'declined', 'signed', 'paid', 'repaid', 'closed')),
    data           jsonb not null,
    at             timestamptz not null,
    state          text not null check (state in ('waiting', 'taken', 'parked', 'dropped')),
    tries          int not null default 0 check (tries >= 0),
    ended_at       timestamptz,
    primary key (customer_id, application_id, seq),
    check ((state = 'waiting') = (ended_at is null))
);
create index told_parked on channels.told (at) where state = 'parked';
