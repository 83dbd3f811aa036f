"""Newtonsoft.Json: tokens, readers, writers, JSONPath and conversions."""
