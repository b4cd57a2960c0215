"""Why a text was left alone, as a sentence for each word the engine gives as a reason."""

SENTENCES = {
    "level_off": "The level is off, or no pass is on: what is new goes out as it is.",
    "one_shot": "The model has not said anything yet. Requests without a past are left alone.",
    "below_floor": "Fewer tokens than the floor stand before it. The start of a conversation stays as it is.",
    "no_match": "No pass found anything in it that pays for its marker.",
    "looks_like_marker": "It holds words that read like a marker of ours. Such a text is never touched.",
    "unsound": "An earlier text was sent in a form that cannot be expanded any more. Nothing is edited behind it.",
    "defect": "An edit was dropped because its expansion was not the original: a defect of ours, please report it.",
    "billing_cch": "The client's billing line carries cch=, so its bill depends on the very bytes of the body.",
    "context_management": "The request lets the provider clear or compact its past: what a marker points to may go.",
    "truncation": "The request lets the provider truncate its past: what a marker points to may go.",
    "conversation": "The past is kept by the provider and not in the body, so nobody can see what a marker points to.",
    "previous_response_id": "The past is kept by the provider and only referred to: nobody sees what a marker points to.",
}
"""By reason word. A test compares the words with those in the engine's code."""


def sentence(word: str) -> str:
    """What a reason word means; the word itself where a newer engine says one that is not known here."""
    return SENTENCES.get(word, word)
