"""Request view: canonical blocks with their spans in the original bytes, one file per API format."""
