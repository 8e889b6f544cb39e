-- name: add_account
insert into staff.accounts (staff_id, login, name_sealed, roles, state, password_hash, created_at, created_by)
values (:staff_id, :login, :name_sealed, :roles, 'active', :password_hash, :at, :created_by)
on conflict (login) do nothing;

-- name: lock_account
-- Locks the account, so that two tries to log in count one after the other.
select staff_id, login, roles, state, password_hash, totp_sealed, totp_is_on, totp_step, failed, locked_until
from staff.accounts where login = :login for update;

-- name: account
select staff_id, login, name_sealed, roles, state, totp_is_on, locked_until from staff.accounts where staff_id = :staff_id;

-- name: account_by_login
select staff_id, login, name_sealed, roles, state, totp_is_on, locked_until from staff.accounts where login = :login;

-- name: accounts
select staff_id, login, name_sealed, roles, state, totp_is_on, locked_until from staff.accounts order by login;

-- name: count_accounts
select count(*) from staff.accounts;

-- name: count_failure
update staff.accounts set failed = failed + 1, locked_until = case when failed + 1 >= :most::int then :locked_until else locked_until end
where staff_id = :staff_id;

-- name: forget_failures
update staff.accounts set failed = 0, locked_until = null, totp_step = greatest(totp_step, :totp_step) where staff_id = :staff_id;

-- name: set_roles
update staff.accounts set roles = :roles where staff_id = :staff_id and state = 'active';

-- name: set_password
update staff.accounts set password_hash = :password_hash, failed = 0, locked_until = null where staff_id = :staff_id and state = 'active';

-- name: close_account
update staff.accounts set state = 'closed' where staff_id = :staff_id and state = 'active';

-- name: set_totp
update staff.accounts set totp_sealed = :totp_sealed, totp_is_on = false, totp_step = 0 where staff_id = :staff_id and state = 'active';

-- name: turn_totp_on
update staff.accounts set totp_is_on = true, totp_step = :totp_step where staff_id = :staff_id and totp_sealed is not null;

-- name: totp
select totp_sealed, totp_step from staff.accounts where staff_id = :staff_id for update;

-- name: count_sessions
select count(*) from staff.sessions where staff_id = :staff_id;

-- name: add_session
insert into staff.sessions (session_id, staff_id, since_at, idle_until) values (:session_id, :staff_id, :at, :idle_until);

-- name: use_session
-- Gives the account of a session that is alive, and lets it live on. A closed account has none.
update staff.sessions s set idle_until = greatest(s.idle_until, :idle_until)
from staff.accounts a
where s.session_id = :session_id and s.staff_id = :staff_id and s.ended_at is null and s.idle_until > :at
  and a.staff_id = s.staff_id and a.state = 'active'
returning a.staff_id, a.login, a.roles;

-- name: end_session
update staff.sessions set ended_at = :at where session_id = :session_id and ended_at is null;

-- name: end_sessions
update staff.sessions set ended_at = :at where staff_id = :staff_id and ended_at is null;

-- name: find_open_approval
select approval_id from staff.approvals where kind = :kind and subject = :subject and content_sha256 = :content_sha256 and state = 'open';

-- name: count_approvals
select count(*) from staff.approvals where kind = :kind and subject = :subject and content_sha256 = :content_sha256;

-- name: add_approval
insert into staff.approvals (approval_id, kind, subject, content_sha256, state, asked_by, asked_at)
values (:approval_id, :kind, :subject, :content_sha256, 'open', :asked_by, :at)
on conflict do nothing;

-- name: lock_approval
select approval_id, kind, subject, content_sha256, state, asked_by, asked_at, decided_by, decided_at, used_at, why
from staff.approvals where approval_id = :approval_id for update;

-- name: decide_approval
update staff.approvals set state = :state, decided_by = :decided_by, decided_at = :at, why = :why
where approval_id = :approval_id and state = 'open';

-- name: use_approval
update staff.approvals set state = 'used', used_at = :at where approval_id = :approval_id and state = 'given';

-- name: approvals
select approval_id, kind, subject, content_sha256, state, asked_by, asked_at, decided_by, decided_at, used_at, why
from staff.approvals where (:state::text is null or state = :state) order by asked_at, approval_id limit :most;

-- name: approvals_given
select approval_id, kind, subject, content_sha256, state, asked_by, asked_at, decided_by, decided_at, used_at, why
from staff.approvals where kind = :kind and content_sha256 = :content_sha256 and state in ('given', 'used') order by decided_at;

-- name: lock_head
select seq, chain from staff.audit_head for update;

-- name: move_head
update staff.audit_head set seq = :seq, chain = :chain;

-- name: add_line
insert into staff.audit (seq, at, actor, verb, subject, facts, before, chain) values (:seq, :at, :actor, :verb, :subject, :facts, :before, :chain);

-- name: lines
select seq, at, actor, verb, subject, facts, before, chain from staff.audit where seq > :after order by seq limit :most;

-- name: lines_about
select seq, at, actor, verb, subject, facts, before, chain from staff.audit where subject = :subject order by seq;

-- name: count_done
select count(*) from staff.audit where actor = :actor and verb = :verb and at > :since;

-- name: lines_page
select seq, at, actor, verb, subject, facts, before, chain from staff.audit
where (:actor::text is null or actor = :actor) and (:verb::text is null or verb = :verb) and (:subject::text is null or subject = :subject)
order by seq desc limit :most offset :skip;

-- name: lines_page_count
select count(*) from staff.audit
where (:actor::text is null or actor = :actor) and (:verb::text is null or verb = :verb) and (:subject::text is null or subject = :subject);

-- name: verbs
select verb, count(*) as lines from staff.audit group by verb order by verb;

-- name: approvals_page
select approval_id, kind, subject, content_sha256, state, asked_by, asked_at, decided_by, decided_at, used_at, why
from staff.approvals where (:state::text is null or state = :state) order by asked_at desc, approval_id limit :most offset :skip;

-- name: approvals_page_count
select count(*) from staff.approvals where (:state::text is null or state = :state);

-- name: find_request
select approval_id, kind, subject, content_sha256, state, asked_by, asked_at, decided_by, decided_at, used_at, why
from staff.approvals where approval_id = :approval_id;
