"""files.embedded comes where it is missing: revision 0002 gained it after homes had run it"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("files")}
    if "embedded" not in columns:
        op.add_column("files", sa.Column("embedded", sa.String(length=64), nullable=True))


def downgrade() -> None:
    """Do nothing: revision 0002 has the column."""
