"""What an evaluation of recordings leaves behind: JSON, JUnit XML, a page in one file; and the limits it is held to."""
