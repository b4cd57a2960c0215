from tokenpak.control.doctor.finding import Finding


def test_nothing_is_mended_unless_somebody_says_how():
    assert Finding("port", "note", "what", "remedy").mend is None
