"""The embedded provider of demo and tests: Anthropic and OpenAI shapes over a prefix cache it really keeps."""
