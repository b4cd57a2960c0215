"""The commands tokenpak and tokenpakctl."""
