"""The words all rooms share: ids, events, permits, reasons, products. Data only; nothing here does anything."""
