"""The products on sale, as data: one TOML file each, read by `vocabulary.products`."""
