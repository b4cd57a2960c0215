"""What may be wrong around an instance, looked at from outside: it works as well when nothing runs."""
