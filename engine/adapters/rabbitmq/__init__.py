"""RabbitMQ as the broker: one quorum queue per token, shared by any number of trade workers."""
