"""The bus: everything that speaks to RabbitMQ through Dramatiq and pika, and its twin within one process."""
