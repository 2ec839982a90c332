"""What tests of specs, graphs and backends are made of. Needs `hypothesis`; nothing else in segcompile imports it."""
