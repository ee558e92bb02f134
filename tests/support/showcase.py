"""Answers with everything that Markdown has here, in both languages, for screenshots and tests."""

CODE = {
    "en": """You can read the balances with the standard library alone:

```python
import csv
from pathlib import Path


def days_left(file: Path, year: int = 2026) -> dict[str, float]:
    \"\"\"Return each person's unused days of leave.\"\"\"
    with file.open(encoding="utf-8") as lines:
        rows = csv.DictReader(lines)
        # a day carried over counts until the end of March
        return {row["name"]: float(row["days"]) - float(row["taken"]) for row in rows}
```

| Column | Type | Meaning |
| --- | --- | --- |
| `name` | text | who it is |
| `days` | number | days of the year |
| `taken` | number | days already taken |

The request then goes this way:

```mermaid
flowchart LR
  A[Request] --> B{Two weeks ahead?}
  B -- yes --> C[Your lead answers]
  B -- no --> D[Ask your lead first]
```
""",
    "zh-CN": """用标准库就可以读取余额：

```python
import csv
from pathlib import Path


def days_left(file: Path, year: int = 2026) -> dict[str, float]:
    \"\"\"返回每个人剩余的年假天数。\"\"\"
    with file.open(encoding="utf-8") as lines:
        rows = csv.DictReader(lines)
        # 结转的天数在三月底之前有效
        return {row["name"]: float(row["days"]) - float(row["taken"]) for row in rows}
```

| 列 | 类型 | 含义 |
| --- | --- | --- |
| `name` | 文本 | 姓名 |
| `days` | 数字 | 当年天数 |
| `taken` | 数字 | 已休天数 |

申请的流程如下：

```mermaid
flowchart LR
  A[提交申请] --> B{提前两周？}
  B -- 是 --> C[主管答复]
  B -- 否 --> D[先与主管沟通]
```
""",
}

FORMULAS = {
    "en": r"""With $n$ full months of the year, the claim is

$$
d(n) = \left\lceil \frac{27}{12} \cdot n \right\rceil ,
$$

so somebody who begins on 1 April ($n = 9$) gets $d(9) = \lceil 20.25 \rceil = 21$ days. Over
several years it is a sum:

\[
D = \sum_{y=1}^{Y} d_y, \qquad
d_y = \begin{cases} 27 & y \le 2 \\ 28 & 3 \le y \le 5 \\ 30 & y \ge 6 \end{cases}
\]

An unused day costs between $5 and $10 to administer; that is money and not a formula.
""",
    "zh-CN": r"""按当年在职的整月数 $n$ 计算：

$$
d(n) = \left\lceil \frac{12}{12} \cdot n \right\rceil ，
$$

四月一日入职（$n = 9$）的员工有 $d(9) = 9$ 天。多年合计为：

\[
D = \sum_{y=1}^{Y} d_y, \qquad
d_y = \begin{cases} 12 & y \le 2 \\ 15 & 3 \le y \le 5 \\ 18 & y \ge 6 \end{cases}
\]

每天的管理成本在 $5 到 $10 之间，这里是金额，不是公式。
""",
}

NOTES = {
    "en": """Before you leave, go through this list:

- [x] leave is granted in the time portal
- [x] somebody stands in for you
- [ ] your calendar says until when

Most of it is in the handbook[^1], the rest in the [wiki][wiki].

<details>
<summary>What your stand-in needs</summary>

1. the state of each open task
2. the people who are waiting for an answer

> Passwords are never passed on, not even for a day.

</details>

Answers take three working days[^2].

[^1]: Chapter 4, *Annual leave*.
[^2]: Without an answer, leave counts as granted.

[wiki]: https://wiki.example.com/leave "Leave"
""",
    "zh-CN": """休假之前请核对这份清单：

- [x] 考勤系统中已批准
- [x] 已安排同事代理
- [ ] 日历中已写明返回日期

大部分内容在员工手册中[^1]，其余见[内部百科][wiki]。

<details>
<summary>代理人需要知道什么</summary>

1. 每项未完成工作的进度
2. 正在等待答复的人

> 不得转交密码，一天也不行。

</details>

主管在三个工作日内答复[^2]。

[^1]: 第四章《年假》。
[^2]: 逾期未答复，视为同意。

[wiki]: https://wiki.example.com/leave "休假"
""",
}

THOUGHTS = {
    "en": "The question is about the balance of leave. The columns are name, days and taken, "
    "so a DictReader is enough. I should mention that days carried over end in March.",
    "zh-CN": "问题是读取年假余额。文件有姓名、天数和已休三列，用 DictReader 就够了。"
    "还应说明结转的天数三月底到期。",
}
