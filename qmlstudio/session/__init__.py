"""What a person is working on, as data: session, selection, stages, cache and files. Knows no Qt."""
