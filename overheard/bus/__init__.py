"""The bus: all use of RabbitMQ through Dramatiq and pika, and an in-process bus with the same behaviour."""
