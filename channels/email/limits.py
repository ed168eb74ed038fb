"""How much of one mail is read. What goes beyond is Malformed: kept raw, quarantined, shown."""

MESSAGE_BYTES_MAX = 25 * 1024 * 1024
HEADER_BYTES_MAX = 256 * 1024
PARTS_MAX = 500
DEPTH_MAX = 20
BODY_CHARS_MAX = 2 * 1024 * 1024
"""Longest text or HTML shown as a body; a longer one becomes an attachment."""
REFERENCES_MAX = 100
ADDRESSES_MAX = 500
