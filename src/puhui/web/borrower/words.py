"""Codes in a person's words, Chinese and English. A code without a word is shown as it is, so nothing is hidden."""

from collections.abc import Mapping
from typing import Literal

Pair = tuple[str, str]

WORDS: Mapping[str, Mapping[str, Pair]] = {
    "item": {
        "identity": ("核对姓名和身份证号", "Check name and id number"),
        "face": ("核对人脸，确认是您本人", "Check your face, to be sure it is you"),
        "financial_account": ("核对并绑定您的银行卡", "Check and bind your bank card"),
        "bureau": ("查询并报送个人信用报告", "Read your credit report, and report this loan to it"),
        "telco": ("话费缴费记录", "Phone bill payments"),
        "utility": ("水电燃气缴费记录", "Water, power and gas payments"),
        "shopping": ("网上购物订单", "Online orders"),
        "wallet": ("电子钱包收支", "Wallet payments"),
        "bank_flow": ("银行卡流水", "Bank statements"),
        "social_insurance": ("社保缴纳记录", "Social insurance payments"),
        "device": ("手机使用情况（不看通讯录）", "How this phone is used (never your contacts)"),
        "farm": ("养殖生产记录", "Farm records"),
        "marketing": ("给您发优惠信息", "Send you offers"),
        "partner_events": ("把办理进度告诉合作方", "Tell the partner how your application goes"),
        "partner_declined": ("没通过时也告诉合作方（不含原因）", "Also tell the partner if it is declined (never why)"),
    },
    "why": {
        "identity": ("法律要求贷款前确认借款人是谁", "The law wants us to know who borrows"),
        "face": ("防止别人冒用您的名义，核对后 24 小时删除照片", "So that nobody borrows in your name; the picture is deleted after 24 hours"),
        "financial_account": ("放款和还款都用您本人的卡", "Money goes to and comes from your own card"),
        "bureau": ("看您现在的负债和还款记录；不同意就不能申请", "To see what you owe and how you paid; without it you cannot apply"),
        "telco": ("按时缴话费是好信用", "Bills paid on time speak for you"),
        "utility": ("按时缴水电费是好信用", "Bills paid on time speak for you"),
        "shopping": ("看消费是否稳定", "To see whether spending is steady"),
        "wallet": ("看收支是否稳定", "To see whether income and spending are steady"),
        "bank_flow": ("看收入够不够还款", "To see that the installments are affordable"),
        "social_insurance": ("看工作是否稳定", "To see whether work is steady"),
        "device": ("防范诈骗团伙", "To keep fraud rings away"),
        "farm": ("看养殖收入", "To see farm income"),
        "marketing": ("随时可以关掉", "You may switch it off at any time"),
        "partner_events": ("方便您在合作方的应用里看进度", "So that its app can show you how things stand"),
        "partner_declined": ("由您决定", "That is for you to say"),
    },
    "to": {
        "checks": ("身份与资料核验机构", "identity and records service"),
        "bureau": ("征信机构", "credit bureau"),
        "lender": ("本公司", "us"),
    },
    "consent": {"granted": ("有效", "In force"), "withdrawn": ("已撤回", "Withdrawn"), "expired": ("已到期", "Expired")},
    "purpose": {
        "daily": ("日常消费", "Everyday needs"),
        "appliances": ("家电家具", "Appliances"),
        "phone": ("手机数码", "Phone"),
        "education": ("学习培训", "Education"),
        "medical": ("看病买药", "Medical care"),
        "travel": ("出行旅游", "Travel"),
        "farm_inputs": ("农资种苗", "Farm inputs"),
        "wedding": ("婚礼", "Wedding"),
        "repairs": ("修房修车", "Repairs"),
        "clothing": ("衣物", "Clothing"),
        "identity": ("核验身份", "Identity"),
        "loan": ("借款审核", "The loan decision"),
        "marketing": ("优惠信息", "Offers"),
        "partner": ("合作方", "Partner"),
    },
    "method": {
        "level_payment": ("等额本息：每月还一样多", "Equal installments: the same every month"),
        "level_principal": ("等额本金：先多后少，总利息更少", "Equal principal: more at first, less interest in all"),
        "interest_first": ("先息后本", "Interest first"),
        "bullet": ("到期一次还清", "All at the end"),
    },
    "loan": {
        "active": ("正常还款", "On time"),
        "late": ("已逾期", "Overdue"),
        "settled": ("已结清", "Paid off"),
        "cancelled": ("已取消", "Cancelled"),
    },
    "event": {
        "disbursed": ("放款到账", "Money paid out"),
        "paid": ("还款", "Payment"),
        "refunded": ("退款", "Refund"),
        "credit_paid_out": ("多还的钱退回", "Overpayment returned"),
        "charged": ("收费", "Charge"),
        "waived": ("减免", "Waived"),
        "restructured": ("调整还款计划", "New plan"),
        "written_off": ("核销（债务仍在）", "Written off (still owed)"),
        "undone": ("冲正", "Reversed"),
    },
    "case": {
        "complaint": ("投诉", "Complaint"),
        "question": ("咨询", "Question"),
        "dispute": ("异议", "Dispute"),
        "review": ("人工复核", "Human review"),
        "hardship": ("困难帮扶", "Hardship"),
        "not_mine": ("不是我的借款", "Not my loan"),
        "freeze": ("冻结账户", "Freeze"),
    },
    "case_state": {
        "opened": ("已收到", "Received"),
        "investigated": ("正在查", "Being looked into"),
        "answered": ("已答复", "Answered"),
        "mediated": ("调解中", "In mediation"),
        "closed": ("已办结", "Closed"),
    },
    "outcome": {
        "offer": ("通过，有额度", "Approved, with an offer"),
        "declined": ("这次没有通过", "Not approved this time"),
        "proof": ("还需要一份材料", "One more paper is needed"),
    },
    "source": {
        "application": ("申请内容", "The application itself"),
        "bureau": ("征信报告", "Credit report"),
        "telco": ("话费记录", "Phone bills"),
        "utility": ("水电燃气", "Utilities"),
        "shopping": ("购物订单", "Orders"),
        "wallet": ("电子钱包", "Wallet"),
        "bank_flow": ("银行流水", "Bank statements"),
        "social_insurance": ("社保", "Social insurance"),
        "device": ("手机", "Phone"),
        "farm": ("养殖", "Farm"),
    },
    "payment": {
        "insufficient": ("卡里余额不够", "not enough money on the card"),
        "limit": ("超过银行卡限额", "over the card's limit"),
    },
    "ladder": {
        "white": ("起步", "First step"),
        "starter": ("入门", "Starter"),
        "building": ("积累", "Building"),
        "graduated": ("成熟", "Graduated"),
        "paused": ("暂停", "Paused"),
    },
    "proof": {"income": ("收入证明（工资条、流水、卖粮卖禽收据）", "Proof of income (pay slip, statement, receipt of sales)")},
    "query": {"loan_application": ("审核您的借款申请", "Your application"), "post_loan": ("贷后管理", "After the loan")},
    "message": {
        "case.answer": ("事项有了答复", "A case was answered"),
        "hardship.answer": ("困难帮扶的答复", "Answer to your plea"),
        "reminder.due-soon": ("还款提醒", "A payment is due soon"),
        "bureau.notice": ("征信提示", "Notice about your credit record"),
    },
    "role": {
        "asset": ("获客合作", "Brings applicants"),
        "funding": ("共同出资", "Lends with us"),
        "enhancement": ("增信担保", "Guarantees"),
        "marketing": ("营销推广", "Marketing"),
        "merchant": ("合作商户", "Shop"),
        "outsourcer": ("催收合作", "Collects for us"),
    },
}


def word(kind: str, code: str, language: Literal["zh", "en"]) -> str:
    """Give a code's word."""
    pair = WORDS[kind].get(code)
    return code if pair is None else pair[language == "en"]


FIELDS: Mapping[str, Pair] = {
    "phone": ("手机号", "Phone number"),
    "code": ("验证码", "Code"),
    "id_tail": ("身份证后四位", "Last four signs of the id number"),
    "id_number": ("身份证号", "Id number"),
    "name": ("姓名", "Name"),
    "card_number": ("银行卡号", "Card number"),
    "living_place_code": ("居住地", "Where you live"),
    "amount": ("金额", "Amount"),
    "amount_fen": ("金额", "Amount"),
    "income": ("每月收入", "Monthly income"),
    "monthly_income_fen": ("每月收入", "Monthly income"),
    "months": ("期数", "Months"),
    "purpose": ("用途", "What for"),
    "text": ("说明", "What you write"),
    "reason": ("原因", "Reason"),
    "subject": ("事项", "Subject"),
    "day": ("日期", "Day"),
    "items": ("授权事项", "What you agree to"),
    "body": ("图片", "Picture"),
    "until": ("授权期限", "Until when"),
    "front": ("身份证正面", "Front of the id card"),
    "back": ("身份证反面", "Back of the id card"),
    "selfie": ("本人照片", "Picture of you"),
    "paper": ("材料图片", "Picture of the paper"),
}
HINTS: Mapping[str, Pair] = {
    "phone": ("11 位数字，以 1 开头", "11 digits, the first is 1"),
    "code": ("照短信里的数字填", "the digits of the message"),
    "id_number": ("18 位，请对照身份证再看一遍", "18 signs; please compare it with the card"),
    "name": ("和身份证上写的一样", "as it stands on the id card"),
    "card_number": ("13 到 19 位，请对照卡面再看一遍", "13 to 19 digits; please compare it with the card"),
    "amount": ("请写多少元，例如 3000，并在页面写明的范围里", "write yuan, such as 3000, within the range on the page"),
    "income": ("请写每月多少元，例如 4500", "write yuan a month, such as 4500"),
    "text": ("请写 1 到 1000 个字", "write 1 to 1000 signs"),
    "items": ("请至少勾选一项", "tick at least one"),
    "front": ("请拍一张或选一张图片", "take or choose a picture"),
    "back": ("请拍一张或选一张图片", "take or choose a picture"),
    "selfie": ("请拍一张或选一张图片", "take or choose a picture"),
    "paper": ("请拍一张或选一张图片", "take or choose a picture"),
}
"""What a field wants, said to a person. The reason that the step itself gives is for programmers, and English."""


def not_right(field: str) -> Pair:
    """Say kindly which field is not filled in rightly, and what it wants."""
    name = field.rsplit(".", 1)[-1]
    if name not in FIELDS:
        return "有一处没有填对，请检查后再提交。什么都没有改变。", "Something is not filled in right; please look again. Nothing was changed."
    hint = HINTS.get(name) or HINTS.get(name.removesuffix("_fen")) or HINTS.get("income" if "income" in name else "")
    zh, english = FIELDS[name]
    why = (f"：{hint[0]}", f": {hint[1]}") if hint else ("", "")
    return f"“{zh}”没有填对{why[0]}。什么都没有改变。", f"“{english}” is not filled in right{why[1]}. Nothing was changed."


THINGS: Mapping[str, Pair] = {
    "loan": ("这笔借款", "this loan"),
    "document": ("这份文件", "this paper"),
    "payment": ("这笔还款", "this payment"),
    "decision": ("这个决定", "this decision"),
    "offer": ("这个报价", "this offer"),
    "application": ("这个申请", "this application"),
    "consent": ("这项授权", "this consent"),
    "file": ("这张图片", "this picture"),
    "page": ("这个页面", "this page"),
}


def not_here(what: str) -> Pair:
    """Say that something is not here; whose it is, if anybody's, is not told."""
    zh, english = THINGS.get(what, ("您要找的内容", "what you look for"))
    return f"没有找到{zh}。请从首页重新进入。", f"We did not find {english}. Please begin at the first page."


ANYTHING = "这一步现在办不了，什么都没有改变。请稍后再试，或联系我们。"
"""What is said in Chinese for a refusal that no borrower was expected to meet and that has no Chinese sentence of its own."""
