"""What `tokenpak demo` does: real processes, real HTTP, made-up or recorded sessions, and proof of what it claims.

The proof uses other means than the product: bodies are compared string by string, prompts are read and billed by the
embedded provider's own reader, and the one thing taken from the product is what is being shown, `expand`.
"""
