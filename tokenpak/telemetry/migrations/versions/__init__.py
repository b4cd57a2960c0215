"""One file a revision, named v<number>_<subject>.py, revision "<number>". A revision that has shipped is never changed."""
