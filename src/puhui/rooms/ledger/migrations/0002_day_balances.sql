-- What was posted on a closed day, by account: a trial balance adds up days instead of every line since the first.
create table ledger.day_balances (
    business_date date not null references ledger.closed_days (business_date),
    account       text not null,
    owner         text not null,
    debit_fen     bigint not null check (debit_fen >= 0),
    credit_fen    bigint not null check (credit_fen >= 0),
    primary key (business_date, account, owner)
);
insert into ledger.day_balances
select p.business_date, line.account, line.owner, sum(greatest(line.fen, 0)), sum(greatest(-line.fen, 0))
from ledger.postings p join ledger.closed_days c using (business_date), unnest(p.accounts, p.owners, p.amounts_fen) as line (account, owner, fen)
group by p.business_date, line.account, line.owner;
