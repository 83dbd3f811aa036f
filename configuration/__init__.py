"""How a stack's configuration is read and checked, one module for each part; `settings` puts it together."""
