"""A job waits only for its turn."""

from datetime import timedelta

from tests.integration.processing.test_intake import accept
from tests.integration.worker.test_jobs_end_to_end import working
from tests.support.services import Addresses, a_document, new_account, opened, until_final


async def test_a_lone_upload_is_claimed_by_the_doorbell_and_not_by_the_sweeper(addresses: Addresses) -> None:
    """The sweeper would add seconds (R1.1)."""
    async with opened(addresses) as services, working(addresses):
        account_id = await new_account(services)
        for _ in range(10):
            accepted = await accept(services, account_id, a_document())
            await until_final(services, account_id, accepted.job.id)
        async with services.database.transaction() as connection:
            cursor = await connection.execute(
                "SELECT started_at - created_at AS waited, finished_at - started_at AS ran FROM jobs ORDER BY 1"
            )
            rows = await cursor.fetchall()
    waits = [row["waited"] for row in rows]
    assert waits[5] < timedelta(milliseconds=500)
