-- Orders are shown the newest first, whatever their state, or of one state.
create index orders_newest on payments.orders (ordered_at desc, payment_order_id);
create index orders_state_newest on payments.orders (state, ordered_at desc, payment_order_id);
