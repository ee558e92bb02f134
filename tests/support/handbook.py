"""A company handbook in two languages and a good model's answers, for screenshots and tests."""

import re
from dataclasses import dataclass

Chapter = tuple[str, tuple[str, ...]]

ENGLISH: tuple[Chapter, ...] = (
    (
        "1 Welcome",
        (
            "This handbook says how we work together at Harbour & Lane. It applies to everybody "
            "with a contract of employment, in Hamburg, Rotterdam and Gdansk, and replaces the "
            "edition of 2024.",
            "Where a works agreement or a law is better for you than this handbook, that one "
            "counts. Questions go to People Operations, who answer within two working days.",
        ),
    ),
    (
        "2 Working time",
        (
            "Full-time work is 38 hours a week. Core time is from 10 to 15 o'clock; the rest you "
            "arrange within your team. Hours are written into the time portal by the end of each "
            "week.",
            "Overtime is balanced by free time within three months. It is ordered or approved "
            "beforehand by your lead, never afterwards, and never more than ten hours of work on "
            "one day.",
        ),
    ),
    (
        "3 Working from elsewhere",
        (
            "You may work from home on up to three days a week. Work from another country of the "
            "European Union is possible for 20 working days a year, after People Operations has "
            "checked tax and insurance.",
            "Company data stays on company devices. Screens are locked when you leave them, and "
            "calls about customers are not made in trains or cafés.",
        ),
    ),
    (
        "4 Annual leave",
        (
            "Every employee gets 27 days of paid leave in a calendar year, on top of the public "
            "holidays of the place of work. From the third year with the company it is 28 days, "
            "from the sixth year 30 days. In the year of joining or leaving it is counted by full "
            "months.",
            "Leave is requested in the time portal at least two weeks ahead, and four weeks ahead "
            "for absences of more than ten days. Your lead answers within three working days; "
            "without an answer it counts as granted.",
        ),
    ),
    (
        "5 Unused leave",
        (
            "Up to five days of unused leave are carried over and must be taken by 31 March of "
            "the following year. More is carried over only after illness or parental leave, when "
            "asked for in writing before 15 December.",
            "Days that are carried over are used first. They are not paid out, except when the "
            "employment ends.",
        ),
    ),
    (
        "6 Illness",
        (
            "Tell your lead before 9 o'clock on the first day, by telephone or message. A "
            "doctor's certificate is needed from the fourth day. Days of illness during leave are "
            "given back when a certificate is handed in.",
            "Pay goes on for six weeks. After an illness of more than six weeks we offer a talk "
            "about a gradual return, which you may decline without giving reasons.",
        ),
    ),
    (
        "7 Travel",
        (
            "Book by rail for up to five hours of travel, in second class; above two hours first "
            "class may be booked where it costs less than 20 euros more. Flights need the "
            "approval of your lead.",
            "Hotels are refunded up to 140 euros a night, in Rotterdam up to 170 euros. Breakfast "
            "is taken off the daily allowance when the hotel bill includes it.",
        ),
    ),
    (
        "8 Expenses",
        (
            "Expenses are claimed within 30 days in the expense tool, each with a photo of its "
            "receipt. Claims below 250 euros are paid within five working days; those above need "
            "the approval of your lead first.",
            "Meals with customers need the names of all guests and the occasion. Fines, minibars "
            "and upgrades are not refunded.",
        ),
    ),
    (
        "9 Parental leave",
        (
            "Both parents may take parental leave until the third birthday of the child. Ask in "
            "writing seven weeks before it begins and say for which periods within the first two "
            "years.",
            "Your position, or one of equal worth, is kept for you. Part-time work of up to 32 "
            "hours a week is possible during parental leave.",
        ),
    ),
    (
        "10 Learning",
        (
            "Everybody has five days and 1,500 euros a year for learning. Courses of your own "
            "choice need no approval when they belong to your field; others are agreed with your "
            "lead.",
            "Languages are taught in the office on Tuesdays. Examination fees are paid once, also "
            "for those who fail.",
        ),
    ),
    (
        "11 Equipment",
        (
            "You choose a laptop, a monitor and a headset from the catalogue, and new ones after "
            "four years. Losses are told to the service desk within an hour, day and night: "
            "telephone 4200.",
            "Private use of telephone and laptop is allowed within reason. Private data is kept "
            "in a folder of that name, which nobody opens.",
        ),
    ),
    (
        "12 Leaving",
        (
            "The notice period is four weeks in the first two years, and two months from the "
            "third year, to the end of a month for both sides. During the trial period of six "
            "months it is two weeks.",
            "On the last day you hand back equipment and keys. A reference is written within two "
            "weeks of being asked for.",
        ),
    ),
)

CHINESE: tuple[Chapter, ...] = (
    (
        "第一章 总则",
        (
            "本手册说明海岸科技的工作方式，适用于上海、深圳和成都所有签订劳动合同的员工，自2026年1"
            "月1日起施行，2024年版同时废止。",
            "法律法规或集体合同对员工更有利的，从其规定。如有疑问，请联系人力资源部，两个工作日内"
            "答复。",
        ),
    ),
    (
        "第二章 工作时间",
        (
            "全日制员工每周工作四十小时，核心时间为上午十点至下午四点，其余时间由团队自行安排。每"
            "周结束前在考勤系统中登记工时。",
            "加班须事先经直属主管批准，优先在三个月内安排调休，每日工作时间不得超过十小时。",
        ),
    ),
    (
        "第三章 远程办公",
        (
            "员工每周最多可居家办公三天。在外地连续远程办公超过两周的，须提前向人力资源部备案。",
            "公司数据只能保存在公司设备上，离开座位须锁定屏幕，不得在公共场所讨论客户信息。",
        ),
    ),
    (
        "第四章 年假",
        (
            "员工每个自然年享有十二天带薪年假，法定节假日另计。入职满三年增加至十五天，满六年增加"
            "至十八天。入职和离职当年按足月折算。",
            "年假须至少提前两周在考勤系统中申请，连续休假超过十天的须提前四周申请。主管应在三个工"
            "作日内答复，逾期未答复视为同意。",
        ),
    ),
    (
        "第五章 未休年假",
        (
            "当年未休完的年假最多可结转五天，须在次年3月31日前休完。因病假或产假未能休完的，可在12"
            "月15日前书面申请结转更多天数。",
            "结转的年假优先使用。除离职结算外，未休年假不折算现金。",
        ),
    ),
    (
        "第六章 病假",
        (
            "员工因病不能上班的，应在当天上午九点前以电话或消息告知主管，自第四天起须提供医院证明"
            "。休年假期间生病的，凭证明返还相应天数。",
            "病假期间工资照发六周。病假超过六周的，返岗时可申请逐步恢复工作时间。",
        ),
    ),
    (
        "第七章 出差",
        (
            "五小时以内的行程乘坐高铁二等座；单程超过两小时且一等座差价不超过一百元的，可乘坐一等"
            "座。乘坐飞机须经主管批准。",
            "住宿标准为每晚五百元，一线城市每晚七百元。房费含早餐的，餐补相应扣减。",
        ),
    ),
    (
        "第八章 报销",
        (
            "费用须在发生后三十天内通过报销系统提交，并附每张发票的照片。两千元以下的，五个工作日"
            "内付款；两千元以上的，须先经主管批准。",
            "宴请客户须注明全部客人姓名和事由。罚款、迷你吧和升舱费用不予报销。",
        ),
    ),
    (
        "第九章 育儿假",
        (
            "子女满三周岁前，父母双方每年各享有十天育儿假，可分次使用，须提前一周申请。",
            "育儿假期间保留原岗位及待遇，经协商可缩短每日工作时间。",
        ),
    ),
    (
        "第十章 学习",
        (
            "每位员工每年有五天学习假和八千元学习经费。与本职相关的课程无须审批，其他课程与主管商"
            "定。",
            "公司每周二开设外语课。考试费用报销一次，未通过者同样适用。",
        ),
    ),
    (
        "第十一章 设备",
        (
            "员工可从目录中选择笔记本电脑、显示器和耳机，每四年更换一次。设备遗失须在一小时内报告"
            "服务台，电话4200，全天值守。",
            "允许合理的私人使用，私人文件请放入专用文件夹，任何人不得打开。",
        ),
    ),
    (
        "第十二章 离职",
        (
            "试用期为六个月，试用期内离职须提前三天通知；转正后须提前三十天书面通知。",
            "离职当日归还设备和钥匙。公司在十五日内办理档案和社会保险转移手续。",
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to questions that contain `asked`.

    `{name}` in its text becomes the number of the first passage that contains `passages[name]`.
    """

    asked: str
    text: str
    passages: dict[str, str]
    breaks: bool = False  # the connection breaks at the end of the text
    hold: str = ""  # the point at which it pauses, if the request asks for a pause


REPLIES = (
    Reply(
        "leave",
        """You get **27 days** of paid leave in a calendar year, on top of the public holidays \
where you work. [{days}] It grows
with the years:

| Years with the company | Days of leave |
| --- | ---: |
| first and second | 27 |
| third to fifth | 28 |
| from the sixth | 30 |

**Days you have not used**

- Up to **five days** are carried over and must be taken by **31 March**. [{rest}]
- More is possible only after illness or parental leave: ask in writing before **15 December**. \
[{rest}]
- Days that were carried over are used first. They are paid out only when the employment ends. \
[{rest}]
""",
        {"days": "27 days of paid leave", "rest": "carried over and must"},
        hold="Days that were carried over are",
    ),
    Reply(
        "expenses",
        """Claim them in the **expense tool** within 30 days, each with a photo of its receipt. \
[{how}]

1. Below **250 euros** they are paid within five working days. [{how}]
2. Above that, your lead has to approve the claim first. [{how}]

For hotels there is a limit of **140 euros** a night, in Rotterdam
""",
        {"how": "claimed within 30 days"},
        breaks=True,
    ),
    Reply(
        "年假",
        """你每个自然年有 **12 天**带薪年假，法定节假日另计[{days}]，并随工龄增加：

| 工龄 | 年假天数 |
| --- | ---: |
| 未满三年 | 12 |
| 满三年 | 15 |
| 满六年 | 18 |

**没有休完的年假**

- 最多可结转**五天**，须在次年 **3 月 31 日**前休完。[{rest}]
- 因病假或产假没有休完的，可在 **12 月 15 日**前书面申请结转更多。[{rest}]
- 结转的年假优先使用；除离职结算外，不折算现金。[{rest}]
""",
        {"days": "十二天带薪年假", "rest": "最多可结转五天"},
        hold="结转的年假优先",
    ),
    Reply(
        "报销",
        """请在费用发生后 **30 天**内通过**报销系统**提交，并附每张发票的照片。[{how}]

1. **2000 元**以下的，五个工作日内付款。[{how}]
2. 超过 2000 元的，须先经主管批准。[{how}]

住宿标准为每晚 **500 元**，一线城市
""",
        {"how": "三十天内通过报销系统"},
        breaks=True,
    ),
    Reply(
        "receipt",
        """The receipt is for **two nights at 124 euros** and two breakfasts, 272 euros in all.

- The room is below the limit of 140 euros a night.
- Breakfast is claimed as a meal, separate from the room.
""",
        {},
    ),
    Reply(
        "发票",
        """发票上是**住宿两晚，每晚 430 元**，另有早餐，合计 920 元。

- 房费没有超过每晚 500 元的标准。
- 早餐按餐费另行报销。
""",
        {},
    ),
)


def reply_to(prompt: str, held: bool) -> tuple[str, bool]:
    """Return the answer to a prompt with numbered passages, and whether the connection breaks.

    With `held`, return only the part up to the point of the pause.
    """
    blocks = re.split(r"^\[(\d+)\] ", prompt, flags=re.MULTILINE)
    question = prompt.rstrip().rpartition("\n")[2]
    numbers = list(zip(blocks[1::2], blocks[2::2], strict=True))
    reply = next((one for one in REPLIES if one.asked in question), REPLIES[0])
    places = {
        word: next((number for number, text in numbers if holds in " ".join(text.split())), "1")
        for word, holds in reply.passages.items()
    }
    text = reply.text.partition(reply.hold)[0] + reply.hold if held and reply.hold else reply.text
    return re.sub(r"\{(\w+)\}", lambda match: places[match[1]], text).strip(), reply.breaks
