"""Stack Exchange: questions and answers of its sites, by tag."""
