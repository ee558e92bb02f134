"""Questions about nothing in particular; their mean is what all questions have in common.

See `QuestionMeans` in chatapp/knowledge/built_in.py. Every word has an influence on the ranking.
"""

ENGLISH = """
How many days of holiday do I get in my first year?
What is the deadline for handing in expenses?
Who do I contact when my laptop is stolen?
Can I work from another country for a few weeks?
How do I reset my password?
What does the warranty cover?
Where can I park my car?
Why was my application rejected?
Which documents do I need to bring?
Is breakfast included in the price?
When was the company founded?
How do I connect the printer to the network?
What temperature should the oven have?
Who wrote the report on water quality?
How often does the filter have to be replaced?
What happens if I cancel the contract early?
Are pets allowed in the building?
How is the annual bonus calculated?
What are the side effects of this medicine?
Which version added support for encryption?
How long does delivery take?
Can two discounts be combined?
What was the result of the second experiment?
How do I install the software on a server without internet?
Who is responsible for approving purchases above the limit?
What is the difference between the two insurance plans?
Where did the expedition reach the coast?
How much protein should an adult eat per day?
Is there a fee for changing the booking?
What should I do in case of fire?
Which parts are made of steel?
How did the population change after the war?
May visitors use the meeting rooms?
What is the maximum size of an upload?
When does the library close on Saturdays?
How can I export my data?
Who won the election in that year?
What does error code 404 mean?
Do I have to tell my manager before I take sick leave?
Why is the sky blue in the daytime?
"""
CHINESE = """
入职第一年有多少天年假？
报销最晚什么时候提交？
电脑丢了应该联系谁？
可以在国外远程办公几周吗？
怎样重置密码？
保修范围包括哪些内容？
哪里可以停车？
我的申请为什么被拒绝？
办理时需要带哪些材料？
房费包含早餐吗？
公司是哪一年成立的？
打印机怎么连接到网络？
烤箱应该调到多少度？
水质报告是谁写的？
滤芯多久更换一次？
提前解除合同有什么后果？
宿舍里允许养宠物吗？
年终奖是怎么计算的？
这种药有什么副作用？
从哪个版本开始支持加密？
下单以后几天能送到？
两种优惠可以同时使用吗？
第二次实验的结果如何？
没有外网的服务器怎么安装这个软件？
超过限额的采购由谁审批？
两种保险方案有什么区别？
探险队在哪里到达了海岸？
成年人每天应该摄入多少蛋白质？
改签要收手续费吗？
发生火灾时应该怎么做？
哪些零件是用钢制造的？
战后人口发生了什么变化？
访客可以使用会议室吗？
上传文件的大小上限是多少？
图书馆周六几点关门？
怎样导出自己的数据？
那一年的选举谁获胜了？
错误代码404是什么意思？
请病假之前需要告诉主管吗？
白天的天空为什么是蓝色的？
"""


def questions(lines: str) -> list[str]:
    """Return the questions of a block of lines."""
    return lines.strip().splitlines()
