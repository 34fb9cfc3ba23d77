"""Invented posts."""

SAMPLES = (
    "Moved our side project to Acme DB over the weekend. One binary, no surprises so far.",
    "Does anyone have experience with acmedb on a small VPS? Looking for memory figures.",
    "Good morning from the train. The coffee is terrible and the view is not.",
    "New post on the blog: what ten years of on-call taught us about dashboards.",
    "PostgreSQL 19 beta is out, and the release notes are a joy to read.",
    "If your test suite sleeps, it dreams of flaky builds.",
    "Hot take: a good error message is worth more than a good tutorial.",
    "My cat has learned to open the fridge. Send help, and fish.",
    "We are hiring a backend engineer. Python, queues, and a sense of humour.",
    "Finally fixed the bug that only happened when the clocks change.",
    "Reading group tonight: the chapter about leases and fencing tokens.",
    "Rain again. The tomatoes are happy, at least somebody is.",
)
