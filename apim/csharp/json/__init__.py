"""Newtonsoft.Json: tokens, reading, writing, paths and conversions."""
