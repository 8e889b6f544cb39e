-- name: add_document
insert into agreements.documents (customer_id, sha256, kind, loan_id, content, at)
values (:customer_id, :sha256, :kind, :loan_id, :content, :at)
on conflict (customer_id, sha256) do nothing;

-- name: find_document
select kind, content from agreements.documents where customer_id = :customer_id and sha256 = :sha256;

-- name: documents_of
select sha256, kind, loan_id, at from agreements.documents where customer_id = :customer_id order by at, sha256;

-- name: add_table
insert into agreements.tables (customer_id, loan_id, number, application_id, table_sha256, state, reading_time_s, shown_at)
values (:customer_id, :loan_id, :number, :application_id, :table_sha256, 'shown', :reading_time_s, :shown_at);

-- name: tables_of_loan
select * from agreements.tables where customer_id = :customer_id and loan_id = :loan_id order by number;

-- name: lock_table
select * from agreements.tables where customer_id = :customer_id and table_sha256 = :table_sha256 for update;

-- name: lock_contract
select * from agreements.tables where customer_id = :customer_id and contract_sha256 = :contract_sha256 for update;

-- name: find_contract
select * from agreements.tables where customer_id = :customer_id and contract_sha256 = :contract_sha256;

-- name: in_force
select * from agreements.tables where customer_id = :customer_id and loan_id = :loan_id and state <> 'abandoned';

-- name: latest_of_application
select * from agreements.tables where customer_id = :customer_id and application_id = :application_id order by shown_at desc, number desc limit 1;

-- name: set_table
update agreements.tables set state = :state, opened_at = :opened_at, confirmed_at = :confirmed_at, contract_sha256 = :contract_sha256,
    mandate_id = :mandate_id, signed_at = :signed_at
where customer_id = :customer_id and loan_id = :loan_id and number = :number;

-- name: abandon
update agreements.tables set state = 'abandoned' where customer_id = :customer_id and loan_id = :loan_id and state <> 'abandoned';

-- name: add_signing
insert into agreements.signings (customer_id, signature_id, loan_id, contract_sha256, state, at)
values (:customer_id, :signature_id, :loan_id, :contract_sha256, 'asked', :at)
on conflict (customer_id, signature_id) do nothing;

-- name: count_signings
select count(*) from agreements.signings where customer_id = :customer_id and contract_sha256 = :contract_sha256;

-- name: open_signing
select signature_id from agreements.signings where customer_id = :customer_id and contract_sha256 = :contract_sha256 and state = 'asked';

-- name: find_signing
select loan_id, contract_sha256, state, code from agreements.signings where customer_id = :customer_id and signature_id = :signature_id;

-- name: set_signing
update agreements.signings set state = :state, code = :code where customer_id = :customer_id and signature_id = :signature_id;

-- name: last_pack
select no, sha256 from agreements.packs where customer_id = :customer_id order by no desc limit 1;

-- name: add_pack
insert into agreements.packs (customer_id, no, loan_id, sha256, previous_sha256, at)
values (:customer_id, :no, :loan_id, :sha256, :previous_sha256, :at);

-- name: pack_of_loan
select sha256 from agreements.packs where customer_id = :customer_id and loan_id = :loan_id;

-- name: packs_of
select no, loan_id, sha256, previous_sha256, at from agreements.packs where customer_id = :customer_id order by no;
